// Every page of the console, light.
import { everyPage } from './worlds/console-pages.mjs';

everyPage('light');
