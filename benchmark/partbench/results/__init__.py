"""Results on disk: what a row holds, and one Parquet file a cell."""
