// Every page of the console, dark.
import { everyPage } from './worlds/console-pages.mjs';

everyPage('dark');
