"""What users have decided about findings: severities for paths, a baseline of known ones."""

TABLE = "[tool.pinroute"  # of a pyproject.toml; it may go on with a dot
