"""SQS as the sink uses it: what it needs of a queue, and the calls, signed and sent."""
