"""An SQS server in memory, for benchmarks: one process, nothing checked, nothing stored."""
