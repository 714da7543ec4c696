// The start of the dashboard.

import './styles/base.css'
import './styles/layout.css'
import './styles/parts.css'
import './styles/routes.css'
import { render } from 'preact'
import { startLive } from './api/live.ts'
import { startSession } from './session/session.ts'
import { App } from './shell/app.tsx'

startLive()
void startSession()
const root = document.getElementById('app')
if (root !== null) render(<App />, root)
