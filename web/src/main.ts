import { mount } from 'svelte'
import './styles/tokens.css'
import './styles/elements.css'
import './styles/parts.css'
import App from './App.svelte'
import { start } from './shell/app'

const target = document.getElementById('app')
if (target) mount(App, { target })
start()
