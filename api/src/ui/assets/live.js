// Renews the numbers of a page when something was recorded that they are about. A page is whole without it.
//
// The page says which events it is about and behind which position (data-stream). The first event that comes is news: the
// stream is closed, the page is asked for again, and the stream goes on behind what that shows. So a browser hears one event
// each time, however many there are, and nothing is missed between two of them.
//
// Nothing is taken away from whoever works with the page: while they type, have something in focus or marked, or have
// scrolled, they are told that there is news, and it waits.
(() => {
  'use strict';

  // The least time between two renewals.
  const REST_MS = 5000;
  // The wait after a failure doubles up to this.
  const RETRY_MIN_MS = 2000;
  const RETRY_MAX_MS = 60000;
  // After so many failures without a success between them nothing is tried any more.
  const FAILURES_MAX = 10;
  // How long the page may take to come.
  const ANSWER_MS = 30000;
  // A connection that lasted so long was good.
  const GOOD_AFTER_MS = 30000;
  // Screen readers are told of news at most so often.
  const TELL_MS = 30000;
  const PAUSED = 'stockledger-paused';

  const bar = document.getElementById('live');
  if (!bar || !window.EventSource) return;
  const state = bar.querySelector('.live-state');
  const [show, pause] = bar.querySelectorAll('button');
  const told = document.getElementById('live-told');

  let source = null;
  let timer = 0;
  let isBusy = false;
  let isOver = false;
  let failures = 0;
  // The position of what is not shown yet; empty where it is not known, nothing where there is no news.
  let news = null;
  let restUntil = 0;
  let toldAt = -TELL_MS;
  let isPaused = stored() === 'yes';

  function stored() {
    try {
      return localStorage.getItem(PAUSED);
    } catch {
      return null;
    }
  }

  function say(text, kind) {
    if (state.textContent !== text) state.textContent = text;
    bar.dataset.kind = kind;
  }

  function tell(text) {
    if (performance.now() - toldAt < TELL_MS) return;
    toldAt = performance.now();
    told.textContent = `${text} ${new Date().toISOString().slice(11, 16)} UTC`;
  }

  function shown() {
    return document.getElementById('now');
  }

  // Whether somebody works with what a renewal would replace.
  function isInUse() {
    const now = shown();
    const isChanged = (field) =>
      field.options
        ? [...field.options].some((option) => option.selected !== option.defaultSelected && !isFirst(option))
        : field.value !== field.defaultValue || field.checked !== field.defaultChecked;
    const isFirst = (option) => option.index === 0 && ![...option.parentElement.options].some((one) => one.defaultSelected);
    const marked = getSelection();
    return (
      now.contains(document.activeElement) ||
      now.getBoundingClientRect().top < 0 ||
      (!marked.isCollapsed && marked.containsNode(now, true)) ||
      [...now.querySelectorAll('input, select, textarea')].some(isChanged) ||
      [...now.querySelectorAll('.table')].some((table) => table.scrollLeft > 0 || table.scrollTop > 0)
    );
  }

  // What to do next; called whenever that may have changed.
  function step() {
    if (isOver || isBusy || timer) return;
    if (document.hidden || isPaused) {
      close();
      if (isPaused) say('Paused', 'paused');
      return;
    }
    if (news === null) return listen();
    if (isInUse()) return offer();
    const rest = restUntil - performance.now();
    if (rest > 0) return later(rest);
    renew();
  }

  function later(ms) {
    timer = setTimeout(() => {
      timer = 0;
      step();
    }, ms);
  }

  function listen() {
    if (source) return;
    const opened = performance.now();
    source = new EventSource(bar.dataset.stream);
    source.onopen = () => say('Live', 'live');
    source.onmessage = (event) => hear(JSON.parse(event.data).position);
    source.addEventListener('resync', () => hear(''));
    source.addEventListener('stopped', end);
    source.onerror = () => {
      close();
      if (performance.now() - opened > GOOD_AFTER_MS) failures = 0;
      fail();
    };
  }

  function close() {
    if (source) source.close();
    source = null;
  }

  function hear(position) {
    close();
    failures = 0;
    news = position;
    step();
  }

  function offer() {
    say('Something new was recorded', 'news');
    show.hidden = false;
    tell('Something new was recorded.');
  }

  function withdraw() {
    if (document.activeElement === show) pause.focus();
    show.hidden = true;
  }

  function fail() {
    failures += 1;
    if (failures > FAILURES_MAX) return end();
    say('Not live: trying again', 'off');
    const wait = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (failures - 1));
    later(wait * (0.5 + Math.random() / 2));
  }

  // The page stays as it is until it is loaded again.
  function end() {
    isOver = true;
    close();
    withdraw();
    pause.hidden = true;
    say('Not live', 'off');
  }

  async function renew(isAskedFor) {
    isBusy = true;
    try {
      const headers = { accept: 'text/html', 'ledger-renewal': '?1' };
      if (news) headers['ledger-min-position'] = news;
      const signal = AbortSignal.timeout(ANSWER_MS);
      const answer = await fetch(location.href, { headers, signal, cache: 'no-store', redirect: 'error' });
      if ([401, 403, 404].includes(answer.status)) return end();
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      if (isPaused || document.hidden || (!isAskedFor && isInUse())) return;
      replace(page.getElementById('now'));
      news = null;
      failures = 0;
      restUntil = performance.now() + REST_MS;
      withdraw();
      tell('The numbers were renewed.');
      const next = page.getElementById('live');
      if (!next) return end();
      bar.dataset.stream = next.dataset.stream;
      say('Live', 'live');
    } catch {
      fail();
    } finally {
      isBusy = false;
      step();
    }
  }

  // What was typed and what was opened stays.
  function replace(next) {
    const now = shown();
    // By where it stands and what it is called: there may be more of them now.
    const name = (one) => `${one.closest('[id]').id} ${one.querySelector('summary').textContent}`;
    const opened = new Map([...now.querySelectorAll('details')].map((one) => [name(one), one.open]));
    for (const one of next.querySelectorAll('details')) one.open = opened.get(name(one)) ?? one.open;
    const [forms, nextForms] = [now.querySelectorAll('form'), next.querySelectorAll('form')];
    if (forms.length === nextForms.length) nextForms.forEach((one, index) => one.replaceWith(forms[index]));
    now.replaceWith(document.adoptNode(next));
  }

  show.addEventListener('click', () => {
    if (!isBusy && news !== null) renew(true);
  });
  pause.addEventListener('click', () => {
    isPaused = !isPaused;
    try {
      localStorage.setItem(PAUSED, isPaused ? 'yes' : 'no');
    } catch {
      // Without a place to keep it, it is for this page alone.
    }
    paint();
    clearTimeout(timer);
    timer = 0;
    step();
  });
  function paint() {
    pause.textContent = isPaused ? 'Go on' : 'Pause';
    if (isPaused) withdraw();
  }

  document.addEventListener('visibilitychange', step);
  for (const what of ['focusout', 'selectionchange', 'input', 'reset']) {
    document.addEventListener(what, () => setTimeout(settle));
  }
  addEventListener('scroll', settle, { capture: true, passive: true });
  // Whoever is done with the page gets what waited.
  function settle() {
    if (news !== null) step();
  }
  addEventListener('pagehide', () => {
    clearTimeout(timer);
    timer = 0;
    close();
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) step();
  });

  bar.hidden = false;
  say('Live', 'live');
  paint();
  step();
})();
