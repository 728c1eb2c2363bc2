"""From a master to HLS: what is probed, encoded, measured, cut and written. No SQL, no RPC, no object store."""
