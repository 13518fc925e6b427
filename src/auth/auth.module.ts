import { Module } from '@nestjs/common';
import { APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { StorageConfig } from '../config/app-config';
import { openStorage } from '../storage/open-storage';
import { AuditLog } from './audit-writer';
import { AuditTrail } from './audit-trail';
import { AuthGuard } from './auth.guard';
import { auditFolder } from './key-office';
import { KeyRing } from './key-ring';
import { OriginRule } from './origin-rule';
import { RateGuard } from './rate.guard';
import { RouteAccess } from './route-access';

@Module({
  imports: [DiscoveryModule],
  providers: [
    KeyRing,
    RouteAccess,
    AuditTrail,
    OriginRule,
    {
      provide: AuditLog,
      useFactory: ({ modelsDir }: StorageConfig) => openStorage(auditFolder(modelsDir)).log,
      inject: [StorageConfig],
    },
    { provide: APP_GUARD, useClass: AuthGuard },
    { provide: APP_GUARD, useClass: RateGuard }, // after it: whose request it is must be known
  ],
  exports: [KeyRing, OriginRule],
})
export class AuthModule {}
