import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Dashboard } from '../model/dashboard.ts';
import type { Theme } from '../model/palette.ts';

export type VariableValues = Readonly<Record<string, string | string[]>>;

export interface DashboardContext {
  uid: string;
  dashboard: Dashboard;
  theme: Theme;
  variables: VariableValues;
  /** False until every variable that panels may use has a value. */
  ready: boolean;
}

const Context = createContext<DashboardContext | undefined>(undefined);
export const DashboardProvider = Context.Provider;

export function useDashboard(): DashboardContext {
  const context = useContext(Context);
  if (!context) throw new Error('useDashboard outside a dashboard');
  return context;
}
