"""Message -> admitted records: decoded, opened, and held to the effective schema."""
