"""Sets Keras up, once in a process, as the stages do it: whichever comes first, both agree."""

from facial_expression.network.backend import configure

configure("tensorflow", 2)
