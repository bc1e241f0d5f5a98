// Declarative clients. An entry of its own, since the decorators have the names of Nest's, which a controller imports.
export { call, call$ } from './http/declarative/current-call.js';
export { Delete, Get, Patch, Post, Put } from './http/declarative/route-decorators.js';
export type { RouteDecorator } from './http/declarative/route-decorators.js';
export { Body, CallOptions, Header, Param, Query } from './http/declarative/argument-decorators.js';
export type { ArgumentDecorator } from './http/declarative/argument-decorators.js';
export type { RouteOptions } from './http/declarative/declared-route.js';
export type { DeclaredCallOptions } from './http/declarative/route-request.js';
export type { StandardIssue, StandardResult, StandardSchema } from './configuration/standard-schema.js';
