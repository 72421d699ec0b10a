"""Batch -> committed rows: connections, the write statement, and what its errors mean."""
