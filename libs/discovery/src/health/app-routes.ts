import { RequestMethod, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import {
  HOST_METADATA,
  METHOD_METADATA,
  MODULE_PATH,
  PATH_METADATA,
  VERSION_METADATA,
} from '@nestjs/common/constants.js';
import { MetadataScanner, type ApplicationConfig, type ModulesContainer } from '@nestjs/core';

/** The routes of an app's controllers, as far as they can be known before they are registered. */
export class AppRoutes {
  readonly #modules: ModulesContainer;
  readonly #config: ApplicationConfig;

  constructor(modules: ModulesContainer, config: ApplicationConfig) {
    this.#modules = modules;
    this.#config = config;
  }

  /** The controller and method that answer GET requests of exactly this path; undefined: none. */
  find(path: string): string | undefined {
    for (const module of this.#modules.values())
      for (const { metatype } of module.controllers.values()) {
        if (typeof metatype !== 'function') continue;
        const method = this.#methodOf(metatype as Type, this.#pathOf(module.metatype), path);
        if (method !== undefined) return `${metatype.name}.${method}`;
      }
    return undefined;
  }

  /** By RouterModule. */
  #pathOf(module: object): string {
    const { applicationId } = this.#modules;
    return (Reflect.getMetadata(MODULE_PATH + applicationId, module) ??
      Reflect.getMetadata(MODULE_PATH, module) ??
      '') as string;
  }

  #methodOf(controller: Type, modulePath: string, path: string): string | undefined {
    // It answers requests of one host only.
    if (Reflect.getMetadata(HOST_METADATA, controller) !== undefined) return undefined;
    const prototype = controller.prototype as Record<string, object>;
    return new MetadataScanner().getAllMethodNames(prototype).find((name) => {
      const handler = prototype[name];
      if (!handler) return false;
      const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
      if (method !== RequestMethod.GET && method !== RequestMethod.ALL) return false;
      if (!this.#isVersionless(controller, handler)) return false;
      return pathsOf(controller).some((base) =>
        pathsOf(handler).some((own) => this.#withPrefix(joined(modulePath, base, own)) === path),
      );
    });
  }

  /** It answers a request without a version, in whatever way the app's versions are told apart. */
  #isVersionless(controller: Type, handler: object): boolean {
    const versioning = this.#config.getVersioning();
    if (versioning === undefined) return true;
    const version = (Reflect.getMetadata(VERSION_METADATA, handler) ??
      Reflect.getMetadata(VERSION_METADATA, controller) ??
      versioning.defaultVersion) as unknown;
    return [version].flat().some((each) => each === undefined || each === VERSION_NEUTRAL);
  }

  #withPrefix(path: string): string {
    const prefix = this.#config.getGlobalPrefix();
    const { exclude = [] } = this.#config.getGlobalPrefixOptions();
    const isExcluded = exclude.some(({ pathRegex }) => pathRegex.test(path));
    return prefix && !isExcluded ? joined(prefix, path) : path;
  }
}

function pathsOf(target: object): readonly string[] {
  const paths = Reflect.getMetadata(PATH_METADATA, target) as string | readonly string[] | undefined;
  return typeof paths === 'string' ? [paths] : (paths ?? ['']);
}

function joined(...parts: readonly string[]): string {
  return `/${parts.join('/')}`.replaceAll(/\/+/g, '/').replace(/(.)\/$/, '$1');
}
