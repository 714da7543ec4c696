// The page for a person who is not logged in.

import { useState } from 'preact/hooks'
import { CommandLine } from '../parts/command-line.tsx'
import { LogoIcon } from '../parts/icons.tsx'
import { logIn, loginProblem } from './session.ts'

export function LoginPage() {
  const [key, setKey] = useState('')
  const [isSending, setSending] = useState(false)
  return (
    <main class="login">
      <form
        onSubmit={async event => {
          event.preventDefault()
          setSending(true)
          await logIn(key.trim())
          setSending(false)
        }}
      >
        <h1 class="row">
          <LogoIcon /> Plugboard
        </h1>
        <div class="field">
          <label for="key">API key</label>
          {/* Password managers need a user name. */}
          <input type="text" name="username" autocomplete="username" value="plugboard" hidden readOnly />
          <input
            id="key"
            name="key"
            type="password"
            autocomplete="current-password"
            placeholder="vsk_…"
            required
            value={key}
            aria-invalid={loginProblem.value !== ''}
            aria-describedby="problem"
            onInput={event => setKey(event.currentTarget.value)}
          />
          <div id="problem" class="error" role="alert">
            {loginProblem.value}
          </div>
        </div>
        <button type="submit" class="primary" disabled={isSending || key === ''}>
          Log in
        </button>
        <p class="soft">
          Or log in with a one-time link. This command prints one, on the machine of Plugboard:
        </p>
        <CommandLine command="npx --no plugboard dashboard" />
      </form>
    </main>
  )
}
