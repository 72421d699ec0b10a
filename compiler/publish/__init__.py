"""Publishing a file of records: what `sluice publish` does, step by step.

* `records.py`:    a file of JSON Lines or one JSON array -> records, each with its exact text and its line
* `envelopes.py`:  records -> message bodies up to the size limit, with ids that the same file always gets again
* `send.py`:  message bodies -> SQS, in batches, each refused entry retried
"""
