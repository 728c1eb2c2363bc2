import { mount } from 'svelte'
import './styles/tokens.css'
import './styles/elements.css'
import './styles/parts.css'
import App from './App.svelte'
import { preferredLanguage, speak } from './i18n/index.svelte'
import { start } from './shell/app'
import { match } from './shell/routes'

// The words and the first page are fetched side by side.
void match(location.pathname).route.load()
await speak(preferredLanguage())

const target = document.getElementById('app')
if (target) mount(App, { target })
void start()
