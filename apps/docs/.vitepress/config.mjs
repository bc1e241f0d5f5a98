import { defineConfig } from 'vitepress';
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
    search: { provider: 'local' },
    outline: [2, 3],
    sidebar: CONTENTS.map(({ text, pages }) => ({
      text,
      items: pages.map(([path, , name]) => ({ text: name, link: path === 'index' ? '/' : `/${path}` })),
    })),
  },
});
