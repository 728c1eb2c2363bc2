"""Tests of the command line and of the engines it runs."""
