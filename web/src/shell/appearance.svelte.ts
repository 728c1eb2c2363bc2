/** Dark or light: the system's, or the one chosen here. `appearance.js` sets it before the first paint. */

export type Theme = 'system' | 'dark' | 'light'
export const THEMES: readonly Theme[] = ['system', 'dark', 'light']

const STORAGE_KEY = 'spotilike.theme'
const stored = localStorage.getItem(STORAGE_KEY)

let current = $state<Theme>(stored === 'dark' || stored === 'light' ? stored : 'system')

export function theme(): Theme {
  return current
}

export function chooseTheme(chosen: Theme): void {
  current = chosen
  if (chosen === 'system') {
    localStorage.removeItem(STORAGE_KEY)
    delete document.documentElement.dataset.theme
  } else {
    localStorage.setItem(STORAGE_KEY, chosen)
    document.documentElement.dataset.theme = chosen
  }
}
