#!/usr/bin/env node
// The installed program `plugboard`: checks the version of Node, then loads main.ts, which an older Node cannot read.
'use strict'

const checkNode = require('../shared/process/check-node.cjs')

checkNode('plugboard')
import('./main.ts')
