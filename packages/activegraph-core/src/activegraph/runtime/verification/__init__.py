"""Strict replay: a run is executed again from its recorded inputs, and what it does is compared with its log.

`recorded` reads the log and says of each event whether the host or a behavior brought it. `meeting`
holds each event of the re-execution against its counterpart, `running` drives it along the log, and
`report` says what differs and why that may be. Nothing is written, and nobody outside is asked.
"""
