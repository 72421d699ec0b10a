"""Other ways from SQS to Postgres, each a process configured like the sink: by its environment variables."""
