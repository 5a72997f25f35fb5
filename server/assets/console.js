// The console's one script: every page does everything without it. It copies values, tells times in words, counts what is
// ticked, opens confirmations as dialogs would, and shows what a rule gives while it is typed.
(() => {
  const root = document.documentElement;
  root.classList.add('scripted');
  const say = (element, key) => element.dataset[key] ?? '';

  document.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-copy]');
    if (!button) return;
    const text = button.parentElement.querySelector('code').textContent;
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = say(button, 'copied');
      button.dataset.done = '1';
      setTimeout(() => { button.textContent = label; }, 1600);
    } catch {
      getSelection().selectAllChildren(button.parentElement.querySelector('code'));
    }
  });

  // One menu at a time; Escape closes and gives the focus back.
  document.addEventListener('click', (event) => {
    for (const open of document.querySelectorAll('details.pop[open]')) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      const open = event.target.closest?.('details.pop[open], details.confirm[open]');
      if (open) { open.open = false; open.querySelector('summary').focus(); }
    }
    if (event.key === '/' && !event.target.closest('input, textarea, select') && !event.metaKey && !event.ctrlKey) {
      const search = document.querySelector('input[type=search]');
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    }
  });

  const words = new Intl.RelativeTimeFormat(root.lang, { numeric: 'auto' });
  const tellTimes = (part) => {
    for (const time of part.querySelectorAll('time[datetime]')) {
      const at = new Date(time.dateTime);
      const seconds = (at - Date.now()) / 1000;
      const span = Math.abs(seconds);
      time.title = at.toLocaleString(root.lang, { dateStyle: 'medium', timeStyle: 'medium' });
      if (!time.hasAttribute('data-relative') || span > 6 * 86400) continue;
      const [size, unit] = span < 60 ? [1, 'second'] : span < 3600 ? [60, 'minute'] : span < 86400 ? [3600, 'hour'] : [86400, 'day'];
      time.textContent = words.format(Math.round(seconds / size), unit);
    }
  };
  tellTimes(document);

  // Filters act as soon as they are chosen; the button stays for those without a script.
  for (const form of document.querySelectorAll('form[data-filters]')) {
    form.addEventListener('change', (event) => { if (event.target.matches('select, input[type=checkbox]')) form.requestSubmit(); });
    form.addEventListener('submit', () => {
      for (const field of form.elements) if (field.value === '') field.disabled = true;
    });
  }
  addEventListener('pageshow', () => {
    for (const field of document.querySelectorAll('form[data-filters] :disabled')) field.disabled = false;
  });

  // Ticks of a list: all at once, and how many there are.
  for (const drawer of document.querySelectorAll('[data-ticks]')) {
    const boxes = [...document.querySelectorAll(`input[name="${drawer.dataset.ticks}"]`)];
    const all = document.querySelector('[data-all]');
    const count = drawer.querySelector('[data-count]');
    const tell = () => {
      const ticked = boxes.filter((box) => box.checked).length;
      drawer.toggleAttribute('data-empty', ticked === 0);
      if (count) count.textContent = ticked;
      if (all) { all.checked = ticked > 0 && ticked === boxes.length; all.indeterminate = ticked > 0 && ticked < boxes.length; }
    };
    for (const box of boxes) box.addEventListener('change', tell);
    all?.addEventListener('change', () => { for (const box of boxes) box.checked = all.checked; tell(); });
    tell();
  }

  // A rule while it is typed: the same form, tried and not saved.
  for (const form of document.querySelectorAll('form[data-try]')) {
    const panel = document.getElementById(form.dataset.result);
    let timer, running;
    form.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        running?.abort();
        running = new AbortController();
        const body = new URLSearchParams(new FormData(form));
        panel.classList.add('waiting');
        try {
          const answer = await fetch(form.dataset.try, { method: 'POST', body, signal: running.signal, headers: { accept: 'text/html', 'x-piece': '1' } });
          if (answer.ok) panel.innerHTML = await answer.text();
          panel.classList.remove('waiting');
          for (const guarded of form.querySelectorAll('[data-guarded]')) guarded.disabled = panel.querySelector('[data-blocks]') !== null;
        } catch (error) {
          if (error.name !== 'AbortError') panel.classList.remove('waiting');
        }
      }, 300);
    });
  }

  // Examples take the place of what stands in a field; names go where one types. What is typed is tried, as by hand.
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-insert]');
    if (!button) return;
    const field = document.getElementById(button.dataset.insert);
    const { whole, part } = button.dataset;
    if (whole) field.value = whole;
    else field.setRangeText(part, field.selectionStart, field.selectionEnd, 'end');
    field.focus();
    field.dispatchEvent(new Event('input', { bubbles: true }));
  });

  // Live parts: a piece of the page that the server sends when it is there; without such a stream it is fetched anew until it
  // says that it is done.
  for (const live of document.querySelectorAll('[data-live]')) {
    if (live.querySelector('[data-done]')) continue;
    const look = async () => {
      try {
        const answer = await fetch(live.dataset.live, { headers: { accept: 'text/html', 'x-unattended': '1' } });
        if (answer.ok) live.innerHTML = await answer.text();
      } catch { /* the next look may succeed */ }
      if (!live.querySelector('[data-done]')) setTimeout(look, 2000);
    };
    if (!live.dataset.events) { setTimeout(look, 2000); continue; }
    const stream = new EventSource(live.dataset.events);
    stream.addEventListener('heard', (event) => { stream.close(); live.innerHTML = event.data; });
    stream.addEventListener('error', () => { if (stream.readyState === EventSource.CLOSED) setTimeout(look, 2000); });
    addEventListener('pagehide', () => stream.close());
  }

  // A file that is chosen is read into the field that it stands for.
  for (const file of document.querySelectorAll('input[type=file][data-into]')) {
    file.addEventListener('change', async () => {
      if (file.files[0]) document.getElementById(file.dataset.into).value = await file.files[0].text();
    });
  }

  // A form that opens a window of its own: what came of it is shown here when one comes back.
  for (const form of document.querySelectorAll('form[target]')) {
    form.addEventListener('submit', () => addEventListener('focus', () => location.reload(), { once: true }));
  }

  // Progress as it happens: pieces from server-sent events until all is at rest; then the page as it is.
  for (const part of document.querySelectorAll('[data-stream]')) {
    const source = new EventSource(part.dataset.stream);
    // Whoever is inside of it with the keyboard is not thrown out; the next piece comes.
    source.addEventListener('piece', (event) => {
      if (part.contains(document.activeElement)) return;
      part.innerHTML = event.data;
      tellTimes(part);
    });
    source.addEventListener('rest', () => { source.close(); location.replace(location.pathname + location.search); });
    addEventListener('pagehide', () => source.close());
  }

  document.querySelector('.side [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
})();
