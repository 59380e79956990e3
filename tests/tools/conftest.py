"""Keras is set up once, as the stages' tests do it: whichever comes first, both agree."""

from facial_expression.network.backend import configure

configure("tensorflow", 2)
