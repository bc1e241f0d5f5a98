import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { DiscoveryService as ProviderScanner } from '@nestjs/core';
import { shutDownError } from '../../errors/discovery-error.js';
import { errorMessage } from '../../errors/error-message.js';
import { NamesItsModule } from '../../errors/provided-by.js';
import type { RegistrationService } from '../../registration/registration.service.js';
import { distinctUntilChanged, map, type Subscription } from 'rxjs';
import { assertLockKey } from '../lock/lock-key.js';
import { electionsOf } from './leader-methods.js';
import type { LockHolder } from '../lock/lock-holder.js';
import type { LeaderElection } from './leader-election.js';
import type { JobReport, LeaderJobs } from './leader-jobs.js';

/** What `LeaderElections.explain()` returns. */
export interface ElectionsExplanation {
  readonly elections: readonly {
    readonly key: string;
    readonly isLeader: boolean;
    /** Undefined: none, or not known yet. */
    readonly leader: LockHolder | undefined;
    readonly fence?: number;
    readonly ledMs?: number;
  }[];
  readonly jobs: readonly JobReport[];
}

/**
 * The elections that this app takes part in: those of its `@OnlyLeader` methods, from its start, and those that are asked for here.
 * Injectable where `ConsulModule` or `EtcdModule` is imported. When the app begins to shut down, it resigns from all of them.
 */
@Injectable()
@NamesItsModule()
export class LeaderElections implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger('LeaderElection');
  readonly #elections = new Map<string, LeaderElection>();
  readonly #create: (key: string) => LeaderElection;
  readonly #registration: RegistrationService;
  readonly #providers: ProviderScanner;
  readonly #subscription: Subscription;
  /** Runs the methods with `@OnlyLeader`. @internal */
  readonly jobs: LeaderJobs;
  #stopping: Promise<void> | undefined;

  /** @internal */
  constructor(
    create: (key: string) => LeaderElection,
    jobs: LeaderJobs,
    registration: RegistrationService,
    providers: ProviderScanner,
  ) {
    this.#create = create;
    this.jobs = jobs;
    this.#registration = registration;
    this.#providers = providers;
    const { shutdownSignal } = registration;
    shutdownSignal.addEventListener('abort', () => void this.#stop(), { once: true });
    this.#subscription = registration.status$
      .pipe(
        map(({ id, state }) => (state === 'registered' ? id : undefined)),
        distinctUntilChanged(),
      )
      .subscribe((id) => {
        if (id !== undefined) this.#describe();
      });
  }

  /**
   * The election of a key; the app takes part in it from the first call on.
   *
   * @throws DiscoveryError `RK_SHUT_DOWN` when the app is shutting down
   */
  of(key: string): LeaderElection {
    let election = this.#elections.get(key);
    if (!election) {
      if (this.#registration.shutdownSignal.aborted) throw shutDownError();
      election = this.#create(assertLockKey(key));
      this.#elections.set(key, election);
      election.start();
    }
    return election;
  }

  /** Those that it takes part in. */
  get all(): readonly LeaderElection[] {
    return [...this.#elections.values()];
  }

  /** The elections of this app, and what became of the jobs of the leader in this process. */
  explain(): ElectionsExplanation {
    const elections = this.all.map(({ key, isLeader, leader, term }) => ({
      key,
      isLeader,
      leader,
      ...(term ? { fence: term.fence, ledMs: Math.round(term.heldMs) } : {}),
    }));
    return { elections, jobs: this.jobs.report() };
  }

  onApplicationBootstrap(): void {
    const wrappers = [...this.#providers.getProviders(), ...this.#providers.getControllers()];
    const classes = wrappers.flatMap(({ metatype, inject }) =>
      // A factory is no class.
      typeof metatype === 'function' && !inject ? [metatype] : [],
    );
    for (const key of electionsOf(classes)) this.of(key);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#stop();
  }

  #stop(): Promise<void> {
    this.#subscription.unsubscribe();
    this.jobs.close();
    this.#stopping ??= Promise.all(this.all.map((election) => election.stop())).then(() => undefined);
    return this.#stopping;
  }

  #describe(): void {
    for (const election of this.all)
      election
        .describe()
        .catch((error: unknown) => this.#logger.debug(`${election.key}: ${errorMessage(error)}`));
  }
}
