"""The results folder: records, who may write them, what is stale, moved, merged. No torch."""
