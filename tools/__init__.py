"""Commands run by hand, outside the DAG."""
