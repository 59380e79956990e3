"""Stage evaluate: tables of scores and saliency maps."""
