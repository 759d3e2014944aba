"""What users have decided about findings: severities for paths, a baseline of known ones."""
