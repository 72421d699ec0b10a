"""What a Dataset becomes outside the database: policies, the sink plan, the Pulumi resources."""
