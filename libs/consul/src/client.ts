// As the main entry does.
export * from '@rookery/discovery/client';
