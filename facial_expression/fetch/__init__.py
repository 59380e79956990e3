"""Stage fetch: any source to one archive of pictures."""
