import { defineConfig } from 'vitepress';
import { API_ENTRIES } from '../api-entries.mjs';
import { CONTENTS } from '../pages.mjs';
import { slugOf } from '../slug.mjs';

export default defineConfig({
  title: 'Rookery',
  description: 'How NestJS services find and call each other, on Consul',
  lang: 'en',
  // None, which browsers would ask for otherwise.
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  srcDir: 'pages',
  outDir: 'dist',
  cacheDir: '../../.cache/vitepress',
  cleanUrls: false,
  // No link of a page may lead nowhere but those to this machine, which examples have.
  ignoreDeadLinks: 'localhostLinks',
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    anchor: { slugify: slugOf },
  },
  themeConfig: {
    search: {
      provider: 'local',
      // A page of a guide answers more than one of a name does.
      options: {
        miniSearch: { searchOptions: { boostDocument: (id) => (id.startsWith('/api/') ? 0.2 : 1) } },
      },
    },
    outline: [2, 3],
    sidebar: [
      ...CONTENTS.map(({ text, pages }) => ({
        text,
        items: pages.map(([path, , name]) => ({ text: name, link: path === 'index' ? '/' : `/${path}` })),
      })),
      { text: 'API', items: API_ENTRIES.map(([name]) => ({ text: name, link: `/api/${name}/` })) },
    ],
  },
});
