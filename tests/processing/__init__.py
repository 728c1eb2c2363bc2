"""Tests of the processing service."""
