"""Backups of one machine, and what is done with them: a folder holds one backup, which the next one brings up to date.

What a folder holds: `manifest.json`, which names everything else with its checksum; the four databases as they were at
one moment, in a folder of the backup's own; the objects by bucket and key; the secrets; and `erasures`, the list of
people whose accounts were erased since, which `up` goes on writing.
"""
