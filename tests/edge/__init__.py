"""Tests of the edge: the real Envoy, the real object store, services that note what they see."""
