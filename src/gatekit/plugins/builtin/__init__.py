"""Plugins that come with Gatekit. Each imports only ``gatekit.plugin``; import-linter holds that."""
