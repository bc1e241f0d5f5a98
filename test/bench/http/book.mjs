// What every server of the benchmark answers with.
export const BOOK = {
  id: 42,
  title: 'Dune',
  author: 'Frank Herbert',
  price: 9.99,
  inStock: true,
  tags: ['sf', 'classic'],
};
