"""The edge: Envoy's configuration, written as YAML and completed from the contracts."""
