/** The books, and which instance of inventory has answered; a request every half a second shows it live. */
export const SHOP_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The bookshop</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; font: 16px/1.5 Georgia, serif; }
  body { max-width: 880px; margin: 0 auto; padding: 16px; }
  form { display: flex; flex-wrap: wrap; gap: 8px; margin: 12px 0; }
  input, button { font: inherit; padding: 4px 10px; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: 6px 10px; border-bottom: 1px solid #8886; }
  .answers { font-family: system-ui, sans-serif; }
  .answers meter { width: 100%; height: 14px; }
  .answers li { margin: 4px 0; }
  #status { min-height: 1.5em; font-family: system-ui, sans-serif; }
</style>
</head>
<body>
<main>
<h1>The bookshop</h1>
<p><a href="/rookery">What the shop sees of its services: the dashboard</a></p>
<form role="search"><label>Search <input name="search" value="" autocomplete="off"></label></form>
<p id="status" role="status"></p>
<table><thead><tr><th scope="col">Title</th><th scope="col">Author</th><th scope="col">Price</th><th scope="col">Stock</th><th scope="col">Rating</th></tr></thead><tbody></tbody></table>
<section class="answers"><h2>Answered by</h2><ul></ul></section>
</main>
<script>
  const answers = new Map();
  let calls = 0, failures = 0, shown = '', running = false;
  const cell = (text) => Object.assign(document.createElement('td'), { textContent: text });
  async function load() {
    if (running) return;
    running = true;
    const search = new FormData(document.querySelector('form')).get('search');
    const begun = performance.now();
    calls++;
    try {
      const response = await fetch('/books?search=' + encodeURIComponent(search));
      if (!response.ok) throw new Error(response.status);
      const { answeredBy, ratedBy, offers } = await response.json();
      answers.set(answeredBy, (answers.get(answeredBy) ?? 0) + 1);
      const text = JSON.stringify(offers);
      if (text !== shown) {
        shown = text;
        document.querySelector('tbody').replaceChildren(...offers.slice(0, 20).map(({ title, author, price, availability, rating }) => {
          const row = document.createElement('tr');
          row.append(...[title, author, price, availability, rating ?? ''].map(cell));
          return row;
        }));
      }
      status('answered by ' + answeredBy + (ratedBy ? ', rated by ' + ratedBy : ', no ratings') + ' in ' + Math.round(performance.now() - begun) + ' ms');
    } catch (error) {
      failures++;
      status('failed: ' + error.message);
    } finally {
      running = false;
    }
    const total = Math.max(...answers.values(), 1);
    document.querySelector('.answers ul').replaceChildren(...[...answers].sort().map(([instance, count]) => {
      const item = document.createElement('li');
      const meter = Object.assign(document.createElement('meter'), { max: total, value: count });
      meter.setAttribute('aria-label', instance + ': ' + count + ' answers');
      item.append(instance + ': ' + count, meter);
      return item;
    }));
  }
  function status(text) {
    document.getElementById('status').textContent = text + ' · ' + calls + ' calls, ' + failures + ' failed';
  }
  document.querySelector('form').addEventListener('submit', (event) => { event.preventDefault(); load(); });
  document.querySelector('input').addEventListener('input', load);
  load();
  setInterval(load, 500);
</script>
</body>
</html>
`;
