"""The sealed store in S3, or in a store that speaks its language."""
