"""The scripts that dvc.yaml runs, one a stage: arguments -> library -> files."""
