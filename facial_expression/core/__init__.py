"""What every package uses: errors, files, labels, parameters, arrays, the command line."""
