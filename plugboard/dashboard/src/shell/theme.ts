// The theme: that of the system, light or dark. The browser keeps the choice.

import { effect, signal } from '@preact/signals'

const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]
const STORAGE_KEY = 'plugboard-theme'

const stored = localStorage.getItem(STORAGE_KEY)
export const theme = signal<Theme>(THEMES.find(name => name === stored) ?? 'system')

effect(() => {
  localStorage.setItem(STORAGE_KEY, theme.value)
  document.documentElement.dataset.theme = theme.value
})

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system'
}
