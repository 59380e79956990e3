"""From any source of pictures to arrays: fetch, normalise, list, audit, decode."""
