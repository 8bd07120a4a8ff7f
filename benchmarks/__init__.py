"""Benchmarks: what the system costs against bare drivers that do the same durable work, in one run.

`python -m benchmarks` prints the table, `--write` puts it into `benchmarks/README.md`, words choose
rows. Every contestant runs in a process of its own, contestants take turns, and the median of the
rounds is quoted with the least and the greatest.
"""
