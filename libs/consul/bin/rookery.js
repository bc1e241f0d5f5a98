#!/usr/bin/env node
// Committed, so that npm links it before the packages are built.
await import('../dist/cli/bin.js');
