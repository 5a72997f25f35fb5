// What came back: status, text and forms, read as a person's browser would read them.
import { parse } from 'node-html-parser';

export class Page {
  #root;

  constructor({ method, url, from, body, status, headers, text }) {
    Object.assign(this, { method, url, from, body, status, headers, text });
  }

  get root() {
    this.#root ??= parse(this.text, { comment: false });
    return this.#root;
  }

  get title() {
    return this.root.querySelector('title')?.text.trim() ?? '';
  }

  /** The text that a person reads, without markup, scripts and runs of white space. */
  get words() {
    const body = this.root.querySelector('body') ?? this.root;
    for (const unseen of body.querySelectorAll('script, style')) unseen.remove();
    return body.structuredText.replace(/\s+/g, ' ').trim();
  }

  get json() {
    return JSON.parse(this.text);
  }

  get forms() {
    return this.root.querySelectorAll('form').map((node) => new Form(this, node));
  }

  get links() {
    return this.root.querySelectorAll('a[href]').map((node) => ({ text: node.text.trim(), href: node.getAttribute('href') }));
  }

  /** The link whose text or address matches, or nothing. */
  link(pattern) {
    return this.links.find(({ text, href }) => pattern.test(text) || pattern.test(href))?.href;
  }

  /** The request that a redirect from here leads to (RFC 9110 15.4: all but 307 and 308 turn a POST into a GET). */
  redirectTo(location) {
    const url = new URL(location, this.url);
    const keep = this.status === 307 || this.status === 308;
    return keep ? { method: this.method, url, body: this.body } : { method: 'GET', url };
  }

  /** The form that a script on this page would post at once: how SAML and form_post cross sites. */
  selfPostingForm() {
    if (this.status !== 200 || !/<form/i.test(this.text)) return undefined;
    const carriers = ['SAMLResponse', 'SAMLRequest'];
    const byScript = /onload\s*=\s*["'][^"']*submit\(/i.test(this.text);
    return this.forms.find((form) => {
      if (form.method !== 'POST' || form.fieldOfType('password')) return false;
      return byScript || form.onlyHidden && (carriers.some((name) => form.has(name)) || form.has('state') && (form.has('code') || form.has('error')));
    });
  }
}

class Form {
  constructor(page, node) {
    this.page = page;
    this.node = node;
    this.inputs = node.querySelectorAll('input, button, select, textarea').filter((input) => input.getAttribute('name'));
  }

  get method() {
    return (this.node.getAttribute('method') ?? 'get').toUpperCase();
  }

  get action() {
    return new URL(this.node.getAttribute('action') || this.page.url, this.page.url);
  }

  get onlyHidden() {
    return this.inputs.every((input) => ['hidden', 'submit'].includes(type(input)));
  }

  has(name) {
    return this.inputs.some((input) => input.getAttribute('name') === name);
  }

  value(name) {
    return this.inputs.find((input) => input.getAttribute('name') === name)?.getAttribute('value');
  }

  /** The name of the first field of an input type. */
  fieldOfType(wanted) {
    return this.inputs.find((input) => type(input) === wanted)?.getAttribute('name');
  }

  /** The request a person would send by pressing its first button. */
  toRequest(values) {
    const fields = new URLSearchParams();
    let pressed = false;
    for (const input of this.inputs) {
      const name = input.getAttribute('name');
      if (name in values) continue;
      if (['checkbox', 'radio'].includes(type(input)) && !input.hasAttribute('checked')) continue;
      if (type(input) === 'submit') {
        if (pressed) continue;
        pressed = true;
      }
      fields.append(name, input.getAttribute('value') ?? '');
    }
    for (const [name, value] of Object.entries(values)) for (const each of [value].flat()) fields.append(name, each);
    if (this.method === 'POST') return { method: 'POST', url: this.action, body: fields };
    const url = this.action;
    url.search = fields.toString();
    return { method: 'GET', url };
  }
}

function type(input) {
  if (input.rawTagName.toLowerCase() === 'button') return input.getAttribute('type') ?? 'submit';
  if (input.rawTagName.toLowerCase() !== 'input') return 'text';
  return (input.getAttribute('type') ?? 'text').toLowerCase();
}
