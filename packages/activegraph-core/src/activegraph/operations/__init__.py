"""What reads or writes stored runs without running them: inspect, replay, diff, export, migrate."""
